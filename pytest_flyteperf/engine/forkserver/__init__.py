"""The fork server: tasks start in milliseconds because flytekit is imported already.

One process of one thread imports flytekit's entry points and the S3 libraries, opens no client and
imports nothing of the user's. For each request it forks a child, which becomes the container's
process. What a container would be given anew (environment, `sys.path`, working folder, temporary
folder, session, random state, flytekit's own configuration) the child sets up before the user's
code begins; what a fresh interpreter would have drawn anew and a child shares with its siblings is
the hash seed alone.

Limits of memory and CPU are recorded by Kubernetes and not enforced here: a process cannot hold
flytekit within the 10 MiB that a test workflow asks for, which the Flyte defaults permit.
"""
