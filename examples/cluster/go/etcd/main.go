// Command etcd is the server as its own project starts it; it lives here because its released main package is not a module to build from.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
