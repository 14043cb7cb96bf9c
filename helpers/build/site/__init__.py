"""The course as a static site: the committed lessons as pages, read without Python and offline."""
