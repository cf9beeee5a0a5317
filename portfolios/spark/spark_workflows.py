"""A Spark application: the operator starts a driver, the driver its executors."""

from flytekit import Resources, current_context, task, workflow
from flytekitplugins.spark import Spark

SESSION = Spark(
    spark_conf={
        "spark.driver.memory": "1g",
        "spark.executor.memory": "1g",
        "spark.executor.instances": "1",
    }
)


@task(task_config=SESSION, requests=Resources(cpu="500m", mem="1Gi"))
def total(count: int) -> int:
    return current_context().spark_session.sparkContext.parallelize(range(count)).sum()


@workflow
def spark_application(count: int) -> int:
    return total(count=count)
