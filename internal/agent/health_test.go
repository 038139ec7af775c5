package agent

import "testing"

func TestReachable(t *testing.T) {
	tests := []struct{ listen, want string }{
		{"127.0.0.1:8080", "127.0.0.1:8080"},
		{"0.0.0.0:8080", "127.0.0.1:8080"},
		{":8080", "127.0.0.1:8080"},
		{"[::]:8080", "[::1]:8080"},
		{"[2001:db8::1]:443", "[2001:db8::1]:443"},
		{"localhost:80", "localhost:80"},
	}
	for _, tt := range tests {
		t.Run(tt.listen, func(t *testing.T) {
			got, err := reachable(tt.listen)
			if err != nil || got != tt.want {
				t.Errorf("asked at %q (error %v), want %q", got, err, tt.want)
			}
		})
	}
	if got, err := reachable("127.0.0.1:0"); err == nil {
		t.Errorf("port 0 is asked at %q, want an error", got)
	}
}
