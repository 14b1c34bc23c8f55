// Command nethttp is the floor of the sizes: an HTTP server and client, and JSON.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, os.Getenv("URL"), nil)
		if err != nil {
			http.Error(w, "no URL", http.StatusInternalServerError)
			return
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			http.Error(w, "no answer", http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		var answer struct{ Sub string }
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			http.Error(w, "no JSON", http.StatusBadGateway)
			return
		}
		log.Print(answer.Sub)
	})
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
}
