# Makes the database at the first start, as the official image does, and serves it. A start that was cut short is made anew.
if [ ! -e "$PGDATA/PG_VERSION" ] || [ -e "$PGDATA.unfinished" ]; then
  touch "$PGDATA.unfinished"
  rm -rf "$PGDATA"
  initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust \
    --auth-host=scram-sha-256 --encoding=UTF8 >/dev/null
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  [ "$POSTGRES_DB" = postgres ] || echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -D "$PGDATA" postgres >/dev/null
  rm "$PGDATA.unfinished"
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
