"""Nodes reached from here: commands over ssh, playbooks through Ansible, modules in containers."""
