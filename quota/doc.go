// Package quota says how much may be asked.
//
// A [Room] is where requests are admitted: each comes in on behalf of a
// [Caller], whose rate of requests is limited; waits for its first trace in a
// queue that is bounded and fair between accounts; and then makes its traces, as
// many at once as limits and the other accounts leave it. A request can leave at
// any time, and everything that it holds or waits for goes with it.
//
// The package knows no HTTP. Its memory is bounded whoever asks how often.
package quota
