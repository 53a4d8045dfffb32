import java.sql.*;

/** The console through JDBC, as its drivers do it: prepared statements, metadata, and an error that leaves it usable. */
public class Console {
	public static void main(String[] arguments) throws Exception {
		try (Connection connection = DriverManager.getConnection(arguments[0], arguments[1], arguments[2])) {
			for (String what : new String[] { "VERSION", "DATABASES", "POOLS", "STATS", "CLIENTS", "CONFIG" })
				show(connection, what);
			try (Statement statement = connection.createStatement()) {
				statement.executeQuery("SHOW POOL");
			} catch (SQLException error) {
				System.out.println(error.getSQLState() + " " + error.getMessage().replace('\n', ' '));
			}
			System.out.println("valid " + connection.isValid(5));
		}
	}

	static void show(Connection connection, String what) throws SQLException {
		try (PreparedStatement statement = connection.prepareStatement("SHOW " + what); ResultSet rows = statement.executeQuery()) {
			int count = 0;
			while (rows.next())
				count++;
			System.out.println(what + " " + rows.getMetaData().getColumnCount() + " columns " + count + " rows");
		}
	}
}
