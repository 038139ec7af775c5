package access

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const someHash = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func TestParse(t *testing.T) {
	hash, err := ParseHash(someHash)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name, line, canonical string // canonical: "" for the line itself
		want                  Credential
	}{
		{"token", "account=acme name=ops hash=" + someHash, "", Credential{Name: "ops", Accounts: []string{"acme"}, Hash: hash}},
		{"any order, many blanks", "  hash=" + someHash + "\tname=ops   account=acme\n", "account=acme name=ops hash=" + someHash, Credential{Name: "ops", Accounts: []string{"acme"}, Hash: hash}},
		{"several accounts", "account=a account=b-_1 name=o.p-s_1 hash=" + someHash, "", Credential{Name: "o.p-s_1", Accounts: []string{"a", "b-_1"}, Hash: hash}},
		{
			"key", "account=acme name=ops email=Ops@Example.org hash=" + someHash, "account=acme name=ops email=ops@example.org hash=" + someHash,
			Credential{Name: "ops", Accounts: []string{"acme"}, Email: "ops@example.org", Hash: hash},
		},
		{
			"hash in capitals", "account=acme name=ops hash=sha256:" + strings.ToUpper(someHash[7:]), "account=acme name=ops hash=" + someHash,
			Credential{Name: "ops", Accounts: []string{"acme"}, Hash: hash},
		},
		{"last day", "account=acme name=ops hash=" + someHash + " expires=2027-01-31", "", Credential{Name: "ops", Accounts: []string{"acme"}, Hash: hash, Expires: day}},
		{"midnight", "account=acme name=ops hash=" + someHash + " expires=2027-02-01T02:00:00+02:00", "account=acme name=ops hash=" + someHash + " expires=2027-01-31", Credential{Name: "ops", Accounts: []string{"acme"}, Hash: hash, Expires: day}},
		{"time", "account=acme name=ops hash=" + someHash + " expires=2027-02-01T00:00:01Z", "", Credential{Name: "ops", Accounts: []string{"acme"}, Hash: hash, Expires: day.Add(time.Second)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
			if tt.canonical == "" {
				tt.canonical = tt.line
			}
			if got.String() != tt.canonical {
				t.Errorf("written as %q, want %q", got.String(), tt.canonical)
			}
		})
	}
}

func TestParseFaults(t *testing.T) {
	secret := NewToken()
	good := "account=acme name=ops hash=" + someHash
	many := strings.Builder{}
	for i := range MaxAccounts + 1 {
		fmt.Fprintf(&many, "account=a%d ", i)
	}
	tests := []struct{ name, line, want string }{
		{"empty", "", "access: account: is missing"},
		{"no account", "name=ops hash=" + someHash, "access: account: is missing"},
		{"empty account", "account= name=ops hash=" + someHash, "access: account: must be 1 to 32 letters"},
		{"odd account", "account=a/b name=ops hash=" + someHash, "access: account: must be 1 to 32 letters"},
		{"long account", "account=" + strings.Repeat("a", 33) + " name=ops hash=" + someHash, "access: account: must be 1 to 32 letters"},
		{"account twice", "account=acme " + good, `access: account: "acme" is given twice`},
		{"too many accounts", many.String() + "name=ops hash=" + someHash, "at most 64 are allowed"},
		{"no name", "account=acme hash=" + someHash, "access: name: is missing"},
		{"odd name", "account=acme name=ö hash=" + someHash, "access: name: must be 1 to 64"},
		{"name twice", good + " name=ops2", "access: name: is given twice"},
		{"no hash", "account=acme name=ops", "access: hash: is missing"},
		{"other hash", "account=acme name=ops hash=md5:00", "access: hash: must start with sha256:"},
		{"short hash", "account=acme name=ops hash=" + someHash[:70], "access: hash: must have 64 hexadecimal digits, has 63 characters"},
		{"odd hash", "account=acme name=ops hash=sha256:" + strings.Repeat("g", 64), "access: hash: must have hexadecimal digits only"},
		{"zero hash", "account=acme name=ops hash=sha256:" + strings.Repeat("0", 64), "access: hash: is all zero"},
		{"empty email", good + " email=", "access: email: is empty"},
		{"no email", good + " email=ops", "access: email: must be an address"},
		{"two at", good + " email=a@b@c", "access: email: must be an address"},
		{"list in email", good + " email=a,b@c", "access: email: must be an address"},
		{"long email", good + " email=a@" + strings.Repeat("b", MaxEmail), "access: email: must be an address"},
		{"no date", good + " expires=soon", "access: expires: must be a date such as"},
		{"no such day", good + " expires=2027-02-30", "access: expires: must be a date such as"},
		{"year 10000 in UTC", good + " expires=9999-12-31T23:59:59-01:00", "access: expires: must be a date such as"},
		{"unknown field", good + " colour=red", `access: "colour=" is not a field; fields are account=`},
		{"no field", good + " red", `access: "red" is not a field`},
		{"the secret itself", secret, "access: this is a secret itself"},
		{"the secret in hash", "account=acme name=ops hash=" + secret, "access: hash: is a secret itself"},
		{"the secret in name", "account=acme hash=" + someHash + " name=" + secret, "access: name: is a secret itself"},
		{"the secret as a field", good + " " + secret + "=1", "is not a field"},
		{"endless", good + strings.Repeat(" ", 4096), "access: a credential must not be over 4096 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.line)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want one with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), secret[len(TokenPrefix):]) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// FuzzParse: what is read is correct, fits into a list, and is read back as
// the same when written.
func FuzzParse(f *testing.F) {
	good := "account=acme name=ops hash=" + someHash
	for _, seed := range []string{
		good, good + " expires=2027-01-31", good + " expires=9999-12-31", good + " expires=1970-01-01T00:00:00Z",
		good + " expires=2027-01-31T12:00:00.5+05:30", good + " email=Ops@Example.ORG", "account=a account=b " + good,
		"account=acme name=ops hash=" + NewToken(), NewKey(), "=", "name==", " ", "hash=sha256:",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := Parse(line)
		if err != nil {
			return
		}
		if err := Check([]Credential{c}); err != nil {
			t.Fatalf("read, yet not correct: %v", err)
		}
		written := c.String()
		if strings.ContainsAny(written, ",\n\t") || len(written) > 2*maxLine {
			t.Fatalf("%q does not fit into a list", written)
		}
		again, err := Parse(written)
		if err != nil {
			t.Fatalf("%q, written as %q, is not read: %v", line, written, err)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Fatalf("%q read again (-first +second):\n%s", written, diff)
		}
	})
}
