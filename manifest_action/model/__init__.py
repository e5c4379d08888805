"""Pure values of the image world: no input or output happens in this package."""
