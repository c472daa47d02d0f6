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
//	needs      token, session, admin, recentAdmin: the column of that name in the contract's table
//	handler    query and body are read strictly, then the domain is asked
//
// A feature is a file with a table of routes and their handlers; [New] mounts the tables. Every error goes through the one table
// in errors.go. The order of a route's errors is the contract's because it is the order of the list above.
package handlers
