"""Docker and Podman: the package manager runs in a container, and the tree comes back as a stream.

Nothing is mounted from this host, so that an engine on another machine does as well as one on this: the plan's files go
in as a tar, the tree comes out as one. What is in the container is only the package manager; the guest layer and the
checks work on the tree once it is here.

    client.py      how an engine is spoken to
    facts.py       what an engine says of itself, and whether that will do
    image.py       the image that holds a distribution's package manager
    rootless.py    whose rights the tree is made with
    watch.py       what removes a container whose build was killed
    script.py      what runs in the container
    engine.py      one filling of a tree, from image to stream
"""
