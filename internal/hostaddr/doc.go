// Package hostaddr tells which addresses this host has, and when they change.
package hostaddr
