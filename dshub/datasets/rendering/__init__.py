"""Draw rows as HTML, as sheets of images, and in terminals."""
