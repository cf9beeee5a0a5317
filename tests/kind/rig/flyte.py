"""Images of Flyte's own two programs, the S3 gateway, PostgreSQL, and Python for tasks."""

from __future__ import annotations

import re
import shutil
from importlib import metadata
from pathlib import Path

import docker

from tests.kind.rig import images, programs

PACKAGES = ("python3", "tar", "gzip", "procps", "postgresql-15")
PYTHON = "/usr/bin/python3"
INITIALISE = """\
#!/bin/sh
# As the usual image of PostgreSQL: makes a database as the environment says, then serves it.
set -e
bin=/usr/lib/postgresql/15/bin
export PGDATA="${PGDATA:-/var/lib/postgresql/data}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA" && chmod 700 "$PGDATA"
  printf %s "$POSTGRES_PASSWORD" > /tmp/password
  $bin/initdb -U "${POSTGRES_USER:-postgres}" --pwfile=/tmp/password -A scram-sha-256 > /dev/null
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  rm /tmp/password
  if [ -n "$POSTGRES_DB" ] && [ "$POSTGRES_DB" != postgres ]; then
    echo "CREATE DATABASE \\"$POSTGRES_DB\\"" |
      $bin/postgres --single -D "$PGDATA" postgres > /dev/null
  fi
fi
exec $bin/postgres -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
"""


def flyte(client: docker.DockerClient) -> str:
    """FlytePropeller and the stand-in for FlyteAdmin."""
    engine = programs.engine()
    return images.ensure(
        client,
        "flyte",
        engine.flyte_digest,
        lambda tag: images.of_program(client, tag, Path(engine.propeller), Path(engine.admin)),
    )


def store(client: docker.DockerClient) -> str:
    """The S3 gateway."""
    engine = programs.engine()
    return images.ensure(
        client,
        "versitygw",
        engine.versions["versitygw"],
        lambda tag: images.of_program(client, tag, Path(engine.s3_gateway), entrypoint=True),
    )


def postgres(client: docker.DockerClient) -> str:
    """PostgreSQL, with the environment variables of its usual image."""
    root = images.debian(client, "flyte-root", PACKAGES)

    def make(tag: str) -> None:
        with images.context() as folder:
            (folder / "initialise").write_text(INITIALISE)
            (folder / "Dockerfile").write_text(
                f"FROM {root}\nCOPY initialise /usr/local/bin/\n"
                "RUN chmod 755 /usr/local/bin/initialise\n"
                "ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin\n"
                'USER postgres\nENTRYPOINT ["/usr/local/bin/initialise"]\n'
            )
            images.build(client, folder, tag)

    return images.ensure(client, "postgres", [root, INITIALISE], make)


def tasks(client: docker.DockerClient) -> str:
    """Python with this environment's flytekit and all that it requires."""
    root = images.debian(client, "flyte-root", PACKAGES)
    needed = _closure("flytekit")

    def make(tag: str) -> None:
        with images.context() as folder:
            for name in needed:
                _copy(metadata.distribution(name), folder)
            (folder / "Dockerfile").write_text(
                f"FROM {root}\nCOPY packages/ /usr/lib/python3/dist-packages/\n"
                "COPY bin/ /usr/local/bin/\n"
                "RUN chmod -R a+rX /usr/lib/python3/dist-packages && chmod 755 /usr/local/bin/*"
                f" && {PYTHON} -m compileall -q -j0 /usr/lib/python3/dist-packages || true\n"
                "WORKDIR /root\nENV PYTHONPATH=/root\n"
            )
            images.build(client, folder, tag)

    versions = {name: metadata.version(name) for name in needed}
    return images.ensure(client, "tasks", [root, versions], make)


def _closure(name: str) -> list[str]:
    """Distributions that one requires, itself included, of those installed here."""
    found: dict[str, None] = {}
    open_ = [name]
    while open_:
        each = open_.pop()
        try:
            requires = metadata.requires(each) or ()
        except metadata.PackageNotFoundError:
            continue  # for another platform, or an extra
        if each in found:
            continue
        found[each] = None
        plain = (text for text in requires if "extra ==" not in text)
        open_ += [_normal(re.split(r"[\s;<>=!~\[(]", text, maxsplit=1)[0]) for text in plain]
    return sorted(found)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _copy(distribution: metadata.Distribution, folder: Path) -> None:
    """Copy an installed distribution; its scripts get the image's Python."""
    packages, scripts = folder / "packages", folder / "bin"
    scripts.mkdir(exist_ok=True)
    for file in distribution.files or ():
        source = Path(str(distribution.locate_file(file)))
        if ".." in file.parts or source.suffix == ".pyc" or not source.is_file():
            continue
        target = packages / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    for point in distribution.entry_points:
        if point.group == "console_scripts":
            (scripts / point.name).write_text(
                f"#!{PYTHON}\nimport sys\nfrom {point.module} import {point.attr.split('.')[0]}\n"
                f"sys.exit({point.attr}())\n"
            )
