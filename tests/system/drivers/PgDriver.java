import java.io.StringReader;
import java.sql.*;
import org.postgresql.PGConnection;
import org.postgresql.PGStatement;

/** pgjdbc: args are the URL, user and password. Prints "ok" when everything held. */
public class PgDriver {
    static void check(boolean held, String what) {
        if (!held) throw new AssertionError(what);
    }

    static void expect(String sqlstate, Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        } catch (SQLException error) {
            check(sqlstate.equals(error.getSQLState()), sql + " answered " + error.getSQLState());
            return;
        }
        throw new AssertionError(sql + " did not fail");
    }

    public static void main(String[] args) throws Exception {
        try (Connection connection = DriverManager.getConnection(args[0], args[1], args[2])) {
            try (Statement statement = connection.createStatement()) {
                statement.execute("DROP TABLE IF EXISTS java_t");
                statement.execute("CREATE TABLE java_t (id int PRIMARY KEY, what text)");
            }
            // Above prepareThreshold (5) pgjdbc goes over to named server-side statements.
            try (PreparedStatement sum = connection.prepareStatement("SELECT ?::int + ?::int")) {
                for (int i = 0; i < 30; i++) {
                    sum.setInt(1, i);
                    sum.setInt(2, 2);
                    try (ResultSet result = sum.executeQuery()) {
                        check(result.next() && result.getInt(1) == i + 2, "the sum");
                    }
                }
                check(sum.unwrap(PGStatement.class).isUseServerPrepare(), "server-side statements in use");
            }
            connection.setAutoCommit(false);
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO java_t VALUES (?, ?)")) {
                for (int i = 0; i < 500; i++) {
                    insert.setInt(1, i);
                    insert.setString(2, "row " + i);
                    insert.addBatch();
                }
                check(insert.executeBatch().length == 500, "the batch");
            }
            connection.commit();
            // A portal fetched in pieces, inside its transaction.
            try (PreparedStatement fetch = connection.prepareStatement("SELECT id, what FROM java_t ORDER BY id")) {
                fetch.setFetchSize(50);
                int seen = 0;
                try (ResultSet result = fetch.executeQuery()) {
                    while (result.next()) {
                        check(result.getInt(1) == seen && result.getString(2).equals("row " + seen), "row " + seen);
                        seen++;
                    }
                }
                check(seen == 500, "all rows fetched");
            }
            try (Statement update = connection.createStatement()) {
                update.executeUpdate("UPDATE java_t SET what = 'lost'");
                Savepoint savepoint = connection.setSavepoint();
                expect("23505", connection, "INSERT INTO java_t VALUES (1, 'twice')");
                connection.rollback(savepoint);
                connection.rollback();
            }
            connection.setAutoCommit(true);
            expect("42703", connection, "SELECT nonsense FROM java_t");
            expect("42601", connection, "syntax error");
            long copied = connection.unwrap(PGConnection.class).getCopyAPI()
                .copyIn("COPY java_t FROM STDIN WITH CSV", new StringReader("1000,copied\n1001,copied too\n"));
            check(copied == 2, "COPY");
            try (Statement count = connection.createStatement();
                 ResultSet result = count.executeQuery("SELECT count(*), count(*) FILTER (WHERE what = 'lost') FROM java_t")) {
                check(result.next() && result.getInt(1) == 502 && result.getInt(2) == 0, "the count");
            }
            try (Statement drop = connection.createStatement()) {
                drop.execute("DROP TABLE java_t");
            }
        }
        System.out.println("ok");
    }
}
