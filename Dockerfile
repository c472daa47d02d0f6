# One image with both programs: /vigil, which is what it runs, and /functions. See docs/deploy.md.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/ ./cmd/vigil ./cmd/functions

# No shell, no package manager, no root: certificates, time zones and a user.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/vigil /out/functions /
# In a container, loopback is nobody's.
ENV ADDR=:8080
EXPOSE 8080
ENTRYPOINT ["/vigil"]
CMD ["serve"]
