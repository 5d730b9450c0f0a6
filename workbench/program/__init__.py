"""The installed programs: ``gpuwheels`` (``gw``) for people who need a wheel, ``workbench`` for those who make them."""
