"""The programs that are installed: ``gpuwheels`` (``gw``) for who needs a wheel, ``workbench`` for who makes them."""
