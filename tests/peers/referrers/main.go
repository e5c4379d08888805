// A registry that lists referrers by itself (OCI 1.1): the one of go-containerregistry, in memory.
//
//	referrers ADDRESS
//
// Serves plain HTTP until it is stopped.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// The fingerprint of these files, which scripts/peers.py looks for.
var source string

func main() {
	handler := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, source, 0)))
	server := &http.Server{Addr: os.Args[1], Handler: handler, ReadHeaderTimeout: time.Minute}
	log.Fatal(server.ListenAndServe())
}
