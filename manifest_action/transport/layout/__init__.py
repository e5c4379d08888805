"""`oci:path[:name]`: OCI image layouts, directories that hold images (OCI image-spec 1.1, image-layout.md)."""
