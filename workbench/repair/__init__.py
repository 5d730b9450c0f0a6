"""auditwheel: libraries grafted or excluded, the platform tag earned."""
