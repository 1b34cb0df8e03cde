// Command redis serves Redis from memory, at the address of its only argument: Argo CD caches manifests and states in it.
package main

import (
	"log"
	"os"
	"time"

	"github.com/alicebob/miniredis/v2"
)

func main() {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(os.Args[1]); err != nil {
		log.Fatal(err)
	}
	// Time does not pass by itself there, and nothing would ever expire.
	for range time.Tick(time.Second) {
		server.FastForward(time.Second)
	}
}
