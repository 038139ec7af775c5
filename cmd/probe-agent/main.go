// Command probe-agent is a traceroute daemon that answers Cloudflare's
// traceroute REST endpoint. Subcommands: serve runs it, trace runs one
// traceroute without HTTP, check says whether this host has what it needs.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }
