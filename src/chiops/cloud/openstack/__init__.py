"""An OpenStack as a cloud: Keystone, Nova, Glance, Neutron, Cinder, Swift or Ceph RGW, and Blazar."""
