// Package handlers is the HTTP edge: it reads requests, asks the domain, and writes answers. It decides nothing about time,
// policy or who may do what; those answers are [session.Gate]'s and [session.Registry]'s. It alone knows
// the HTTP framework, and no type of it leaves the package.
//
// A request passes, from the outside in,
//
//	stamp      a request id; nothing may be cached
//	record     errors become answers; counted; one line in the log
//	recover    a panic becomes an error
//	cors       which pages may read the answer
//	route      or 404, 405
//	timeout    of the context
//	needs      open, token, session, sensitive, admin, recentAdmin: the column of that name in the contract's table, and the rate
//	           limit, once the token has been verified and before anything is read
//	handler    query and body are read strictly, then the domain is asked
//
// A feature is a file with a table of routes and their handlers; [New] mounts the tables. Every error goes through the one table
// in errors.go, and what it says to people through the one in texts.go. The order of a route's errors is the contract's because it is
// the order of the list above.
//
// # A new route
//
// It is a line in a table and a handler:
//
//	{
//		method: http.MethodGet, path: "/v1/things/:id", access: a.session(a.thing),
//		name: "thing", summary: "One of the user's things",
//		query:   []parameter{{"deep", "With its parts.", false, object{"type": "boolean", "default": false}}},
//		answers: []answer{{http.StatusOK, "The thing.", thingView{}, nil}},
//	}
//
// A list that may be long takes the parameters of page.go, and a route that may take longer than others says so with timeout.
//
// That is all: [OpenAPI] describes it with the errors, the limit and the headers that follow from it, and from the struct tags of its
// bodies: a field without omitempty is required, a pointer without it may be null, and json, description, enum, format, pattern and
// maxLength are read. queryOf refuses a query that the line does not have. Every exchange of the tests is held to the document, and
// the tests in openapi_test.go try the route without what it needs.
package handlers
