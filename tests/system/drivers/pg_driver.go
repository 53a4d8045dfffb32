// Go's lib/pq: the argument is a connection string. Prints "ok" when everything held.
package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/lib/pq"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(held bool, what string) {
	if !held {
		must(errors.New("does not hold: " + what))
	}
}

func expect(sqlstate string, err error) {
	var failure *pq.Error
	check(errors.As(err, &failure) && string(failure.Code) == sqlstate, fmt.Sprintf("%s, got %v", sqlstate, err))
}

func main() {
	db, err := sql.Open("postgres", os.Args[1])
	must(err)
	db.SetMaxOpenConns(20)
	_, err = db.Exec("DROP TABLE IF EXISTS go_t")
	must(err)
	_, err = db.Exec("CREATE TABLE go_t (id int PRIMARY KEY, what text)")
	must(err)

	var sum int
	must(db.QueryRow("SELECT $1::int + $2::int", 40, 2).Scan(&sum))
	check(sum == 42, "the sum")

	tx, err := db.Begin()
	must(err)
	copyIn, err := tx.Prepare(pq.CopyIn("go_t", "id", "what"))
	must(err)
	for i := 0; i < 500; i++ {
		_, err = copyIn.Exec(i, fmt.Sprintf("row %d", i))
		must(err)
	}
	_, err = copyIn.Exec()
	must(err)
	must(copyIn.Close())
	must(tx.Commit())

	statement, err := db.Prepare("SELECT what FROM go_t WHERE id = $1")
	must(err)
	var group sync.WaitGroup
	for worker := 0; worker < 20; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for i := worker; i < 500; i += 20 {
				var what string
				must(statement.QueryRow(i).Scan(&what))
				check(what == fmt.Sprintf("row %d", i), what)
			}
		}(worker)
	}
	group.Wait()
	must(statement.Close())

	tx, err = db.Begin()
	must(err)
	_, err = tx.Exec("UPDATE go_t SET what = $1", "lost")
	must(err)
	_, err = tx.Exec("INSERT INTO go_t VALUES (1, 'twice')")
	expect("23505", err)
	must(tx.Rollback())
	var lost int
	must(db.QueryRow("SELECT count(*) FROM go_t WHERE what = 'lost'").Scan(&lost))
	check(lost == 0, "the rollback")

	_, err = db.Exec("SELECT nonsense FROM go_t")
	expect("42703", err)
	_, err = db.Exec("syntax error")
	expect("42601", err)
	_, err = db.Exec("DROP TABLE go_t")
	must(err)
	must(db.Close())
	fmt.Println("ok")
}
