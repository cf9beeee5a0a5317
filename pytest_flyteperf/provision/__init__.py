"""Clusters: a Kubernetes API and an object store, brought up, found again and taken down."""
