package handlers

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/mileusna/useragent"

	"github.com/vigilhq/vigil/internal/session"
)

// The types of devices.
const (
	deviceDesktop = "desktop"
	deviceMobile  = "mobile"
	deviceTablet  = "tablet"
	deviceBot     = "bot"
	deviceOther   = "other"
)

var deviceTypes = []string{deviceDesktop, deviceMobile, deviceTablet, deviceBot, deviceOther}

// maxUserAgent bounds what is kept, and looked at, of a User-Agent header.
const maxUserAgent = 512 // bytes

// userAgent returns the request's User-Agent, as far as it is kept: its beginning, without broken characters.
func userAgent(r *http.Request) string {
	agent := r.UserAgent()
	return strings.ToValidUTF8(agent[:min(len(agent), maxUserAgent)], "")
}

// device is what the browser says of itself, bettered for display by what the client knows. Its Kind is the browser's alone.
func (in *signIn) device(agent string, h hints) session.Device {
	d := deviceOf(agent, h)
	d.Name = in.DeviceName
	if in.Device.Type != "" {
		d.Type = in.Device.Type
	}
	if in.Device.OS != "" {
		d.OS = in.Device.OS
	}
	return d
}

// deviceOf reads what a browser says of itself: where its client hints and its User-Agent header disagree, the hints are the newer
// words, except for a bot, which says so in the other only. It is for people to recognize their devices by; anybody can send any.
func deviceOf(agent string, h hints) session.Device {
	ua := useragent.Parse(agent)
	if ua.Bot {
		h = hints{}
	}
	browser, version := h.browser(ua)
	os, release := ua.OS, osVersion(ua)
	if h.platform != "" && h.platform != os {
		os, release = h.platform, 0
	}
	kind := typeOf(ua, os, h)
	return session.Device{
		Type: kind, Browser: named(browser, version), OS: named(os, release),
		Kind: kind + "/" + family(browser) + "/" + family(os),
	}
}

func typeOf(ua useragent.UserAgent, os string, h hints) string {
	switch {
	case ua.Bot:
		return deviceBot
	case h.mobile:
		return deviceMobile
	case h.tellMobile && os == useragent.Android:
		return deviceTablet
	case h.tellMobile && desktops[os]:
		return deviceDesktop
	case ua.Tablet, ua.OS == useragent.Android && !strings.Contains(ua.String, "Mobile"):
		return deviceTablet // Android's phones say Mobile, its tablets do not
	case ua.Mobile:
		return deviceMobile
	case ua.Desktop:
		return deviceDesktop
	default:
		return deviceOther
	}
}

// desktops are the systems of devices that are neither phones nor tablets.
var desktops = map[string]bool{useragent.Windows: true, useragent.MacOS: true, useragent.Linux: true, useragent.ChromeOS: true}

// windows has the versions that a User-Agent tells apart. From 10 on it does not.
var windows = map[string]int{"6.1": 7, "6.2": 8, "6.3": 8}

// osVersion is the system's major version, zero if it is not known: browsers have frozen what they say of some systems.
func osVersion(ua useragent.UserAgent) int {
	switch {
	case ua.OS == useragent.Windows:
		return windows[ua.OSVersion]
	case ua.OS == useragent.MacOS && ua.OSVersionNo.Major == 10:
		return 0
	case ua.OS == useragent.Android && strings.Contains(ua.String, "Android 10; K)"):
		return 0
	case ua.OS == useragent.MacOS, ua.OS == useragent.IOS, ua.OS == useragent.Android:
		return ua.OSVersionNo.Major
	default:
		return 0
	}
}

// named joins a name, with what can be shown of it, and a version, where it is known.
func named(name string, version int) string {
	name = printable(name)
	if name == "" || version <= 0 {
		return name
	}
	return name + " " + strconv.Itoa(version)
}

// family is a name as a part of [session.Device.Kind], between slashes.
func family(name string) string { return strings.ReplaceAll(printable(name), "/", " ") }

// printable is what can be shown of a short text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return -1
		}
		return r
	}, clip(strings.ToValidUTF8(text, ""), maxText))
}
