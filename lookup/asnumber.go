package lookup

import (
	"fmt"
	"strconv"
	"strings"
)

// parseASN reads the number of an autonomous system, with or without "AS"
// before it. It is 0 for what stands for no single one: nothing, "-", "None",
// AS 0 (RFC 7607), and sets such as "{64496,64497}" or "64496 64497".
func parseASN(text string) (uint32, error) {
	switch text {
	case "", "-", "None", "NA":
		return 0, nil
	}
	if set := strings.Trim(text, "{}"); set != text || strings.ContainsAny(set, " ,_") {
		for number := range strings.FieldsFuncSeq(set, func(r rune) bool { return r == ' ' || r == ',' || r == '_' }) {
			if _, err := parseNumber(number); err != nil {
				return 0, err
			}
		}
		return 0, nil
	}
	return parseNumber(text)
}

func parseNumber(text string) (uint32, error) {
	digits := text
	if len(digits) > 2 && strings.EqualFold(digits[:2], "AS") {
		digits = digits[2:]
	}
	number, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not an AS number", text)
	}
	return uint32(number), nil
}
