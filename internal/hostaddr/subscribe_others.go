//go:build !linux

package hostaddr

import "errors"

func subscribe() (await func() bool, end func(), err error) {
	return nil, nil, errors.ErrUnsupported
}
