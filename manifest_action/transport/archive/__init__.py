"""Images in one tar file: `oci-archive:path[:name]` and `docker-archive:path[:reference|@position]`.

An archive is never unpacked: its members are found once and read where they lie. It is written beside its target and
takes the target's place in one step (containers-transports(5)).
"""
