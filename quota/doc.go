// Package quota limits how much may be requested.
//
// A [Limiter] admits requests. Each is made on behalf of a [Caller], whose rate
// of requests is limited. An admitted request holds a [Ticket]: it waits for its
// first trace in a queue that is bounded and fair between accounts, and then
// begins its traces, as many at once as the limits and the other accounts leave
// it. A ticket can be closed at any time, and everything that the request holds
// or waits for is released.
//
// The package knows nothing of HTTP. Its memory is bounded, however many callers
// there are and however often they ask.
package quota
