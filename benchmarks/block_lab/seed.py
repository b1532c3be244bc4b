# ruff: noqa
# fmt: off
# The seed lab's own cells ("Block storage on Chameleon"), in their order and their words, for a Jupyter kernel with python-chi.
# `# %% up` and `# %% away` begin a cell of the lab; `# %% up, helped: why` one that had to differ, or that the lab leaves to the
# person and the browser. Each `why` is printed with the results. Left out: what needs a server that answers ssh
# (check_connectivity, execute), as `chiops up --no-configure` leaves it out.

# %% up
from chi import server, context, lease, network
import chi, os, time, datetime

context.version = "1.0"
context.choose_project()

# %% up, helped: `context.choose_site()` knows Chameleon's sites only; OS_* variables lead to this cloud, and the project is chosen by name
if context.get("project_name") != os.environ["OS_PROJECT_NAME"]:
    context.use_project(os.environ["OS_PROJECT_NAME"])
username = os.getenv('USER') # all exp resources will have this prefix

# %% up
l = lease.Lease(f"lease-block-{username}", duration=datetime.timedelta(hours=4))
l.add_flavor_reservation(id=chi.server.get_flavor_id("m1.medium"), amount=1)
l.submit(idempotent=True)

# %% up
l.show()

# %% up
s = server.Server(
    f"node-block-{username}",
    image_name="CC-Ubuntu24.04",
    flavor_name=l.get_reserved_flavors()[0].name
)
s.submit(idempotent=True)

# %% up, helped: `s.associate_floating_ip()` would take any unbound address of the project, whoever's; given one of its own, it makes the same requests
address = chi.neutron().create_floatingip({
    "floatingip": {"floating_network_id": network.get_network_id(network.PUBLIC_NETWORK), "description": username}
})["floatingip"]["floating_ip_address"]
s.associate_floating_ip(address)

# %% up
s.refresh()
s.show(type="widget")

# %% up, helped: the groups' names end with the user's, so that they are made as in a new project and nobody else's is used
security_groups = [
  {'name': f"allow-ssh-{username}", 'port': 22, 'description': "Enable SSH traffic on TCP port 22"},
  {'name': f"allow-8888-{username}", 'port': 8888, 'description': "Enable TCP port 8888 (used by Jupyter)"}
]

# %% up
for sg in security_groups:
  secgroup = network.SecurityGroup({
      'name': sg['name'],
      'description': sg['description'],
  })
  secgroup.add_rule(direction='ingress', protocol='tcp', port=sg['port'])
  secgroup.submit(idempotent=True)
  s.add_security_group(sg['name'])

print(f"updated security groups: {[sg['name'] for sg in security_groups]}")

# %% up
# get the Cinder Python client configured by python-chi
cinder_client = chi.clients.cinder()

# %% up
# create a volume, specifying name and size in GiB
volume = cinder_client.volumes.create(name=f"block-persist-python-{username}", size=2)
volume._info

# %% up, helped: the volume is waited for, where the lab leaves that to the person
for _ in range(120):
    if cinder_client.volumes.get(volume.id).status == "available": break
    time.sleep(1)

# %% up
# server_id = server.get_server(f"node-block-{username}").id
server_id = chi.nova().servers.find(name=f"node-block-{username}").id
volume_manager = chi.nova().volumes
volume_manager.create_server_volume(server_id=server_id, volume_id=volume.id)

# %% away
volume_manager.delete_server_volume(server_id=server_id, volume_id=volume.id)

# %% away, helped: the volume is waited for, where the lab has the person look at its status
for _ in range(120):
    if cinder_client.volumes.get(volume.id).status == "available": break
    time.sleep(1)

# %% away
cinder_client.volumes.delete(volume=volume)

# %% away
# delete the old server instance!
s_old = server.get_server(f"node-block-{username}")
s_old.delete()

# %% away, helped: `Server.delete()` leaves the address behind (it asks for DELETE /v2.0/ID without the resource, and drops the 404), so it is released by its id
for it in network.list_floating_ips():
    if it["floating_ip_address"] == address:
        chi.neutron().delete_floatingip(it["id"])

# %% away, helped: lease, groups and key pair are deleted by python-chi's clients; the lab lets them be
l.delete()
for sg in security_groups:
    for group in network.list_security_groups(name_filter=sg['name']):
        chi.neutron().delete_security_group(group.id)
chi.nova().keypairs.delete(context.get("keypair_name"))
