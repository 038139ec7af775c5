// Package netsim is simulated networks to test a traceroute in.
//
// A [Scenario] is data: the routers on the way to a target, what each of them
// does to probes and answers, and what a correct traceroute must find. It is
// made in Go ([Chain]) or read from a YAML file ([Parse]). A [Network] is a
// scenario at work: a pure, deterministic machine that is told at what time
// which IP packet is sent into it, and says which packets come back and when.
// It has no clock, no goroutine and no socket, so the same network runs
//
//   - in memory ([NewMemory]), as a transport for the engine inside
//     testing/synctest bubbles, in virtual time;
//   - on a TUN device ([OpenTUN]), behind real sockets, in real time.
//
// A third stage shares no code with a Network: package kernel translates a
// scenario into namespaces, where routers and target are Linux. It can do less
// (no delays, no chance, no lies), and what it does nobody here has written.
//
// The package shares no wire-format code with the packages that it tests: it
// reads probes and writes answers by its own, so that it can contradict them.
// Checksums of everything it sends are right, but of what a scenario wants
// forged otherwise, and it drops what a router or a host would drop for a
// wrong one.
//
// # The scenario language
//
// The fields of [Scenario], [Hop], [Node], [Target] and so on are the
// language; each is documented there, with its name in YAML. Rules that hold
// everywhere:
//
//   - Unknown fields are errors. Errors name file, line and field.
//   - Durations are written as 80ms, 1.5s.
//   - A list of one may be written without brackets.
//   - An address is an IP address; or two, one of each family, with a space
//     between; or n7, which is node 7 of the address plan: 198.18.0.7 and
//     2001:2::7 (the benchmarking ranges of RFC 2544 and RFC 5180), so that
//     one file serves both families.
//   - Occurrences (nth, every) count from 1.
//   - What is forged (forge, guessers) is wrong in exactly the way that its
//     flaw says, and right otherwise.
//   - Everything random is drawn from the seed, the node and the count of
//     packets there: the same packets at the same times get the same answers.
//
// # The scenario files
//
// [Scenarios] holds the files, in a folder for each condition; [Files] lists
// them. Each says in its field about why its expectation is right: by the RFCs
// and the topology, never by what the agent printed. Package prober's tests
// run every file × expectation × method × family in memory
// (TestScenarios), through real sockets on a TUN device all those that ask for
// nothing virtual (TestScenariosOnTUN, as root), and in namespaces all those
// that the kernel can play (TestScenariosInNamespaces, as root), with the same
// expectations. What is covered by which method, family and stage, and why a
// file is not on a stage, is printed, and holes in it fail, by
//
//	go test ./prober -run TestScenarioMatrix -v
//
// A file whose expectation is right and not met goes into the folder known,
// which is not run, with the reason in it.
package netsim
