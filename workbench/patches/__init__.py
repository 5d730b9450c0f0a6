"""How a source is changed: quilt's patch series, with DEP-3 headers, applied strictly."""
