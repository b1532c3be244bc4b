#!/bin/sh
# Entry of the S3 server's container: closes every port but S3's to other hosts, then becomes the owner of the data and runs
# the server without any capability. SeaweedFS's own ports trust whoever reaches them, and one of them cannot be bound to
# loopback alone.
# usage: s3-entry.sh PORT COMMAND...
set -e
port=$1
shift
nft -f - <<RULES
table inet s3 {
  chain input {
    type filter hook input priority filter; policy drop;
    iif lo accept
    ct state established,related accept
    meta l4proto { icmp, ipv6-icmp } accept
    tcp dport $port accept
  }
}
RULES
exec setpriv --reuid "$(stat -c %u /data)" --regid "$(stat -c %g /data)" --clear-groups \
  --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs "$@"
