#!/bin/bash
# Bring up Keystone, Placement, Glance, Neutron and Nova (whose machines are not real: its driver fake) and make a project
# `radar` with a member `radar`, flavors, an image, and a network that leads outside.
set -eu
IP=$(hostname -i | awk '{print $1}')
mkdir -p /run/mysqld /var/log/os && chown mysql /run/mysqld
(mariadbd --user=mysql --innodb-flush-log-at-trx-commit=0 >/var/log/os/mysql.log 2>&1 &)
for _ in $(seq 60); do mariadb-admin ping >/dev/null 2>&1 && break; sleep 0.5; done
for d in keystone placement glance neutron nova nova_api nova_cell0; do mariadb -e "create database if not exists $d character set utf8mb3; grant all on $d.* to os@localhost identified by 'os'; grant all on $d.* to os@'%' identified by 'os'"; done
DB="mysql+pymysql://os:os@127.0.0.1"
rabbitmq-server -detached || true
for _ in $(seq 60); do rabbitmqctl await_startup >/dev/null 2>&1 && break; sleep 1; done
rabbitmqctl add_user os os || true; rabbitmqctl set_permissions os ".*" ".*" ".*"
MQ="rabbit://os:os@127.0.0.1:5672/"
auth() { cat <<X
www_authenticate_uri = http://$IP:5000
auth_url = http://$IP:5000
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = service
password = service-secret
region_name = RegionOne
X
}
cat > /etc/keystone/keystone.conf <<X
[database]
connection = $DB/keystone
[token]
provider = fernet
[fernet_tokens]
key_repository = /etc/keystone/fernet-keys
[credential]
key_repository = /etc/keystone/credential-keys
X
cat > /etc/placement/placement.conf <<X
[placement_database]
connection = $DB/placement
[api]
auth_strategy = keystone
[keystone_authtoken]
$(auth)
X
cat > /etc/glance/glance-api.conf <<X
[DEFAULT]
bind_host = 0.0.0.0
enabled_backends = files:file
[database]
connection = $DB/glance
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = /var/lib/glance/images
[keystone_authtoken]
$(auth)
[paste_deploy]
flavor = keystone
X
cat > /etc/neutron/neutron.conf <<X
[DEFAULT]
core_plugin = ml2
service_plugins = router,qos
transport_url = $MQ
auth_strategy = keystone
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
[database]
connection = $DB/neutron
[keystone_authtoken]
$(auth)
[placement]
$(auth)
[oslo_concurrency]
lock_path = /var/lib/neutron/tmp
X
cat > /etc/neutron/plugins/ml2/ml2_conf.ini <<X
[ml2]
type_drivers = local,flat,vxlan
tenant_network_types = local
mechanism_drivers = bindall
extension_drivers = port_security,qos
[ml2_type_flat]
flat_networks = *
X
cat > /etc/nova/nova.conf <<X
[DEFAULT]
transport_url = $MQ
compute_driver = fake.FakeDriver
my_ip = $IP
log_dir = /var/log/os
osapi_compute_workers = 2
metadata_workers = 1
enabled_apis = osapi_compute
vif_plugging_is_fatal = false
vif_plugging_timeout = 0
service_down_time = 600
state_path = /var/lib/nova
force_config_drive = false
[api]
auth_strategy = keystone
[api_database]
connection = $DB/nova_api
[database]
connection = $DB/nova
[keystone_authtoken]
$(auth)
[service_user]
$(auth)
[placement]
$(auth)
[neutron]
$(auth)
[glance]
api_servers = http://$IP:9292
[oslo_concurrency]
lock_path = /var/lib/nova/tmp
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 10
[filter_scheduler]
track_instance_changes = false
[workarounds]
skip_cpu_compare_on_dest = true
X
keystone-manage db_sync
keystone-manage fernet_setup --keystone-user keystone --keystone-group keystone
keystone-manage credential_setup --keystone-user keystone --keystone-group keystone
keystone-manage bootstrap --bootstrap-password admin-secret --bootstrap-admin-url http://$IP:5000/v3 --bootstrap-internal-url http://$IP:5000/v3 --bootstrap-public-url http://$IP:5000/v3 --bootstrap-region-id RegionOne
chown -R keystone /etc/keystone /var/log/keystone

(uwsgi_python3 --http-socket 0.0.0.0:5000 --wsgi-file /usr/bin/keystone-wsgi-public --processes 2 --threads 2 --uid keystone --enable-threads --lazy-apps -b 65535 --post-buffering 65536 --add-header "Connection: close" >/var/log/os/keystone.log 2>&1 &)
for _ in $(seq 60); do curl -sf http://$IP:5000/v3 >/dev/null && break; sleep 1; done
cat > /root/rc <<X
export OS_AUTH_URL=http://$IP:5000/v3 OS_USERNAME=admin OS_PASSWORD=admin-secret OS_PROJECT_NAME=admin OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default OS_IDENTITY_API_VERSION=3 OS_REGION_NAME=RegionOne
X
. /root/rc
python3 - <<X
import os
from keystoneauth1.identity import v3
from keystoneauth1 import session
from keystoneclient.v3 import client
k = client.Client(session=session.Session(auth=v3.Password(auth_url=os.environ["OS_AUTH_URL"], username="admin", password="admin-secret", project_name="admin", user_domain_name="Default", project_domain_name="Default")))
p = k.projects.create("service", "default"); u = k.users.create("service", domain="default", password="service-secret")
roles = {r.name: r for r in k.roles.list()}
for r in ("admin", "service"):
    if r in roles: k.roles.grant(roles[r], user=u, project=p)
radar = k.projects.create("radar", "default"); who = k.users.create("radar", domain="default", password="radar-secret")
for r in ("member", "reader"): k.roles.grant(roles[r], user=who, project=radar)
for kind, url in (("placement", "http://$IP:8778"), ("image", "http://$IP:9292"), ("network", "http://$IP:9696"), ("compute", "http://$IP:8774/v2.1")):
    s = k.services.create(kind, type=kind)
    for i in ("public", "internal", "admin"): k.endpoints.create(s, url, interface=i, region="RegionOne")
X
placement-manage db sync & glance-manage db_sync >/dev/null 2>&1 &
neutron-db-manage --config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini upgrade head >/var/log/os/neutron-db.log 2>&1 &
nova-manage api_db sync && nova-manage cell_v2 map_cell0 --database_connection $DB/nova_cell0 && nova-manage cell_v2 create_cell --name cell1 && nova-manage db sync
wait
mkdir -p /var/lib/glance/images /var/lib/nova/tmp /var/lib/neutron/tmp /var/lib/nova/instances; 
(uwsgi_python3 --http-socket 0.0.0.0:8778 --wsgi-file /usr/bin/placement-api --processes 2 --threads 2 --enable-threads --lazy-apps -b 65535 --post-buffering 65536 --add-header "Connection: close" >/var/log/os/placement.log 2>&1 &)
(glance-api >/var/log/os/glance.log 2>&1 &)
N="--config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini"
(neutron-server $N >/var/log/os/neutron.log 2>&1 &)
(nova-api >/dev/null 2>/var/log/os/nova-api.err &)
(nova-conductor 2>/var/log/os/nova-conductor.err &)
(nova-scheduler 2>/var/log/os/nova-scheduler.err &)
(nova-compute --config-file /etc/nova/nova.conf 2>/var/log/os/nova-compute.err &)
for port in 8778 9292 9696 8774; do for _ in $(seq 90); do curl -s -o /dev/null http://$IP:$port/ && break; sleep 1; done; done
for _ in $(seq 60); do openstack hypervisor list -f value -c State 2>/dev/null | grep -q up && break; sleep 1; done
openstack flavor create small --vcpus 2 --ram 4096 --disk 1 > /dev/null
openstack flavor create huge --vcpus 4000 --ram 16384 --disk 1 > /dev/null
echo nothing > /tmp/image
openstack image create worker --disk-format raw --container-format bare --file /tmp/image --public > /dev/null
openstack network create outside --external --provider-network-type flat --provider-physical-network outside > /dev/null
openstack subnet create outside --network outside --subnet-range 203.0.113.0/24 > /dev/null
openstack quota set --cores 9000 --ram 900000 --instances 100 radar
