// Migrates many schemas with Flyway's own API in one JVM: what it can do at best, without starting Java for each.
import org.flywaydb.core.Flyway;

public class FlywayLoop {
    // FlywayLoop URL LOCATION PREFIX COUNT
    public static void main(String[] arguments) {
        int count = Integer.parseInt(arguments[3]);
        for (int i = 0; i < count; ++i) {
            Flyway.configure()
                .dataSource(arguments[0], "postgres", "x")
                .locations("filesystem:" + arguments[1])
                .defaultSchema(arguments[2] + i)
                .load()
                .migrate();
        }
    }
}
