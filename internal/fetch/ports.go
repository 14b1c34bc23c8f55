package fetch

// badPort names the protocol that owns a port to which no HTTP request is sent,
// or returns "". The list is the port blocking of the Fetch standard (WHATWG
// Fetch, section 2.9), which keeps a URL from speaking to mail, chat and file
// servers, and the stores and control planes commonly found beside an
// application, which take an HTTP request for commands.
func badPort(port uint16) string {
	switch port {
	// WHATWG Fetch, "bad ports".
	case 0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77,
		79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135,
		137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
		532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720,
		1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
		6669, 6679, 6697, 10080:
		return "on the list of ports of other protocols (WHATWG Fetch, port blocking)"
	case 445:
		return "that of SMB"
	case 873:
		return "that of rsync"
	case 1433, 1434:
		return "that of SQL Server"
	case 1521:
		return "that of Oracle Database"
	case 2181:
		return "that of ZooKeeper"
	case 2375, 2376:
		return "that of Docker"
	case 2379, 2380:
		return "that of etcd"
	case 3306, 33060:
		return "that of MySQL"
	case 3389:
		return "that of Remote Desktop"
	case 4222:
		return "that of NATS"
	case 5432, 6432:
		return "that of PostgreSQL"
	case 5672:
		return "that of AMQP"
	case 5900:
		return "that of VNC"
	case 6379, 16379, 26379:
		return "that of Redis"
	case 9042:
		return "that of Cassandra"
	case 9092:
		return "that of Kafka"
	case 9200, 9300:
		return "that of Elasticsearch"
	case 10250, 10255:
		return "that of the kubelet"
	case 11211:
		return "that of memcached"
	case 27017, 27018, 27019:
		return "that of MongoDB"
	}
	return ""
}
