"""Archives read in place, without extracting them and without root: tar, initrd, docker-save, OCI image layout.

target        what the user named
opening       which kind of thing it is                     recognition
media         files held open, decompressed if need be      compression, limits
tar, cpio     their members, headers only                   tar_pax, tar_sparse, tar_numbers
growth        the tree that they grow into, in memory       tar_unpacker, kernel_unpacker, layer_unpacker
oci, docker_save, layers      from an image to its layers   documents, platforms
source        the finished index, and contents read where they lie
"""
