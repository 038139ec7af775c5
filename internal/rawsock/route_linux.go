package rawsock

import "probe-agent/packet"

// Routes decides where the packets of each flow leave from.
func (t *Transport) Routes(flows []packet.RouteQuery, routes []packet.Route) error {
	for i := range flows {
		if i > 0 && flows[i].Target == flows[i-1].Target {
			routes[i] = routes[i-1]
			continue
		}
		source, err := t.source(flows[i].Target)
		if err != nil {
			return err
		}
		routes[i] = packet.Route{Source: source}
	}
	return nil
}
