"""`rootfs-kit matrix`: many builds from one description, here, over several engines, or by a CI or a cluster.

    cells.py         the builds that a description asks for
    run.py           running them side by side
    outcome.py       what came of them, as a table and as a document
    github.py        the same builds as a matrix of GitHub Actions
    kubernetes.py    the same builds as Jobs of a Kubernetes cluster

There is no scheduler here: who has a cluster or a CI has one.
"""
