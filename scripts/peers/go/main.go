package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/gomodule/redigo/redis"
)

func main() {
	pool := &redis.Pool{
		MaxIdle: 128,
		Dial:    func() (redis.Conn, error) { return redis.DialURL(os.Getenv("REDIS_URL")) },
	}
	http.HandleFunc("/api/auth/me", func(response http.ResponseWriter, request *http.Request) {
		header := request.Header.Get("Authorization")
		username := ""
		if strings.HasPrefix(header, "Bearer ") {
			connection := pool.Get()
			username, _ = redis.String(connection.Do("GET", "tokens:"+header[len("Bearer "):]))
			connection.Close()
		}
		if username == "" {
			response.WriteHeader(http.StatusUnauthorized)
			return
		}
		response.Header().Set("Content-Type", "application/json")
		json.NewEncoder(response).Encode(map[string]string{"username": username})
	})
	log.Fatal(http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), nil))
}
