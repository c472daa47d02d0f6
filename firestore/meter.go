package firestore

import (
	"context"
	"errors"
	"io"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc"
)

// Meter counts what Firestore charges for. It is called on hot paths: it must not block, and be safe for concurrent use.
type Meter interface {
	// Operations notes n operations, op being one of "read", "write" and "delete".
	Operations(op string, n int)
}

const (
	opRead   = "read"
	opWrite  = "write"
	opDelete = "delete"
)

// countedPerRead is how many documents an aggregation counts for the price of one read.
const countedPerRead = 1000

// metered has everything that goes over the connection counted, what Google's client repeats by itself included.
func metered(m Meter) []grpc.DialOption {
	if m == nil {
		return nil
	}
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			countWrites(m, req)
			return invoke(ctx, method, req, reply, conn, opts...)
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			stream, err := open(ctx, desc, conn, method, opts...)
			if err != nil {
				return nil, err
			}
			return &meteredStream{ClientStream: stream, meter: m}, nil
		}),
	}
}

func countWrites(m Meter, request any) {
	commit, ok := request.(*firestorepb.CommitRequest)
	if !ok {
		return
	}
	writes, deletes := 0, 0
	for _, w := range commit.GetWrites() {
		if w.GetDelete() != "" {
			deletes++
		} else {
			writes++
		}
	}
	count(m, opWrite, writes)
	count(m, opDelete, deletes)
}

func count(m Meter, op string, n int) {
	if n > 0 {
		m.Operations(op, n)
	}
}

// meteredStream counts the documents that answers bring.
type meteredStream struct {
	grpc.ClientStream
	meter Meter
	query bool // it is the answer to a query
	found bool // which has brought a document
}

// RecvMsg implements [grpc.ClientStream].
func (s *meteredStream) RecvMsg(answer any) error {
	err := s.ClientStream.RecvMsg(answer)
	if errors.Is(err, io.EOF) && s.query && !s.found {
		count(s.meter, opRead, 1) // a query that finds nothing is charged as one
	}
	if err != nil {
		return err
	}
	switch answer := answer.(type) {
	case *firestorepb.BatchGetDocumentsResponse:
		if answer.GetFound() != nil || answer.GetMissing() != "" {
			count(s.meter, opRead, 1)
		}
	case *firestorepb.RunQueryResponse:
		s.query = true
		if answer.GetDocument() != nil {
			s.found = true
			count(s.meter, opRead, 1)
		}
	case *firestorepb.RunAggregationQueryResponse:
		for _, n := range answer.GetResult().GetAggregateFields() {
			count(s.meter, opRead, max(1, int((n.GetIntegerValue()+countedPerRead-1)/countedPerRead)))
		}
	case *firestorepb.ListenResponse:
		if len(answer.GetDocumentChange().GetTargetIds()) > 0 {
			count(s.meter, opRead, 1)
		}
	}
	return nil
}
