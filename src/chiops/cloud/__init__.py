"""Clouds: one interface (`base`), two implementations (`local`, `openstack`)."""
