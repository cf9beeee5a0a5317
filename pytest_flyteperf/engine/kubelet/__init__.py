"""The process kubelet: a Kubernetes node that runs each container as a process of the user.

One thread owns all state and acts on messages; a watcher, a reader of the fork server's socket and
a few writers to the API server feed it. A pod costs three writes (binding, Running with the start,
Succeeded or Failed with the end) and so four watch events, as many as the recordings have that
FlytePropeller's rounds are compared with.

Not done, because a process is no container: images, volumes, probes, restarts (every pod is run as
with restartPolicy Never), enforcement of limits.
"""
