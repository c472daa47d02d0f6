package mail

import (
	"slices"
	"strings"
)

// browsers and systems are the names that a message may say. A parser of User-Agent headers calls a browser that it does not know
// whatever that calls itself, up to the whole header.
var (
	browsers = []string{
		"Android browser", "BlackBerry", "Brave", "Chrome", "Chromium", "DuckDuckGo", "Edge", "Facebook App", "Firefox", "Headless Chrome",
		"Huawei Browser", "Instagram App", "Internet Explorer", "Miui Browser", "NetFront", "Opera", "Opera Mini", "Opera Touch", "Safari",
		"Samsung Browser", "TikTok App", "Vivaldi", "YaBrowser",
	}
	systems = []string{
		"Android", "BlackBerry", "ChromeOS", "FreeBSD", "Harmony", "iOS", "iPadOS", "Linux", "macOS", "Windows", "Windows Phone",
	}
)

const otherType = "other"

// device is what a message says of one. Empty names are not known.
type device struct{ typ, browser, system string }

// deviceOf reads a [session.Device] Kind and keeps what is on the lists.
func deviceOf(kind string) device {
	d := device{typ: otherType}
	parts := strings.Split(kind, "/")
	if len(parts) != 3 {
		return d
	}
	if _, ok := english.types[parts[0]]; ok {
		d.typ = parts[0]
	}
	if slices.Contains(browsers, parts[1]) {
		d.browser = parts[1]
	}
	if slices.Contains(systems, parts[2]) {
		d.system = parts[2]
	}
	return d
}

// kind names the device as far as a message tells it from others, so that an invented name makes no new device.
func (d device) kind() string { return d.typ + "/" + d.browser + "/" + d.system }

// in describes the device in a language.
func (d device) in(w words) string {
	name := d.browser
	switch {
	case name == "":
		name = d.system
	case d.system != "":
		name += " " + w.on + " " + d.system
	}
	switch {
	case name == "":
		return w.types[d.typ]
	case d.typ == otherType:
		return name
	default:
		return w.types[d.typ] + ", " + name
	}
}
