// Package text shows traces to people: as tables on a terminal that are redrawn
// while a trace runs, as plain lines on a pipe, and as comma-separated values
// for a spreadsheet.
package text
