// Command baseline is what Vigil is compared with: servers as plain as they can be, one for each mode.
//
//	echo-json       an echo handler that answers JSON, and nothing around it
//	verify          the same behind the middleware that everybody writes first: VerifyIDToken of the Admin SDK at every request
//	verify-revoked  the same with VerifyIDTokenAndCheckRevoked, which looks the account up over HTTPS
//	verify-revoked-in-process
//	                the same with a look-up that is answered before it leaves the SDK's client: neither a network nor a transport is in it
//	gorilla         a WebSocket server as in the library's first example: text frames are sent back
//	gorilla-tuned   the same with every known setting against memory: the smallest read buffer that helps, a pool for those of writers, and a handler that
//	                returns after the upgrade
//
// The Admin SDK finds keys, credentials and project where it does in production: in its environment.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	_ "net/http/pprof" // on the second listener, which serves the default mux
	"os"
)

func main() {
	mode := flag.String("mode", "", "what to be: see the package")
	addr := flag.String("addr", "127.0.0.1:8080", "listener")
	ops := flag.String("ops", "127.0.0.1:9464", "listener of /debug/pprof")
	flag.Parse()
	handler, err := open(context.Background(), *mode)
	if err != nil {
		fmt.Fprintln(os.Stderr, "baseline:", err)
		os.Exit(2)
	}
	go func() { log.Fatal(http.ListenAndServe(*ops, nil)) }()
	log.Fatal(http.ListenAndServe(*addr, handler))
}

func open(ctx context.Context, mode string) (http.Handler, error) {
	switch mode {
	case "echo-json":
		return jsonServer(), nil
	case "verify", "verify-revoked", "verify-revoked-in-process":
		verify, err := verifier(ctx, mode)
		if err != nil {
			return nil, err
		}
		return jsonServer(verified(verify)), nil //nolint:contextcheck // each request brings its own
	case "gorilla":
		return sockets(plain), nil
	case "gorilla-tuned":
		return sockets(tuned), nil
	default:
		return nil, fmt.Errorf("there is no mode %q", mode)
	}
}
