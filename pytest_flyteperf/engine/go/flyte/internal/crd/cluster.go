package crd

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/flyteorg/flyte/flytepropeller/pkg/apis/flyteworkflow/v1alpha1"
	flyteclient "github.com/flyteorg/flyte/flytepropeller/pkg/client/clientset/versioned"
)

// Limits of FlyteAdmin's own Kubernetes client.
const (
	clientQPS   = 100
	clientBurst = 25
)

// Cluster is the Kubernetes API that workflows are created in.
type Cluster struct {
	client flyteclient.Interface
}

// Connect reads the kubeconfig; the API itself is first asked when a workflow is created.
func Connect(kubeconfig string) (*Cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", kubeconfig, err)
	}
	config.QPS, config.Burst = clientQPS, clientBurst
	client, err := flyteclient.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", kubeconfig, err)
	}
	return &Cluster{client: client}, nil
}

// Create stores the object; one that is there already is left alone, as by FlyteAdmin.
func (c *Cluster) Create(ctx context.Context, workflow *v1alpha1.FlyteWorkflow) error {
	_, err := c.client.FlyteworkflowV1alpha1().FlyteWorkflows(workflow.Namespace).Create(ctx, workflow, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("flyteworkflow %s/%s: create: %w", workflow.Namespace, workflow.Name, err)
	}
	return nil
}

// Delete asks for the object's removal; FlytePropeller then aborts the execution and lifts the finalizer.
func (c *Cluster) Delete(ctx context.Context, namespace, name string) error {
	background := metav1.DeletePropagationBackground
	err := c.client.FlyteworkflowV1alpha1().FlyteWorkflows(namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("flyteworkflow %s/%s: delete: %w", namespace, name, err)
	}
	return nil
}
