package dev.featx.security;

import java.io.IOException;
import java.security.PrivilegedExceptionAction;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.security.UserGroupInformation;

/**
 * Who this JVM is to secured HDFS and HBase, by the keytab of a mounted Secret.
 *
 * <p>Driver and executors log in by themselves and again when tickets run out (UserGroupInformation), so a run may take
 * longer than any delegation token lives, and no token passes between pods.
 */
public final class KerberosLogin {
  /** Setting that names the principal; without it there is no login. */
  static final String PRINCIPAL = "featx.kerberos.principal";

  /** Setting that names the keytab's file. */
  static final String KEYTAB = "featx.kerberos.keytab";

  private static String loggedIn;

  private KerberosLogin() {}

  /** What is done as somebody. */
  public interface Action<T> {
    T run() throws IOException, InterruptedException;
  }

  /** Logs in, if settings say so and it has not been done. */
  public static synchronized void ensure(Configuration conf) throws IOException {
    String principal = conf.get(PRINCIPAL);
    if (principal != null && !principal.equals(loggedIn)) {
      UserGroupInformation.setConfiguration(conf);
      UserGroupInformation.loginUserFromKeytab(principal, conf.get(KEYTAB));
      loggedIn = principal;
    }
  }

  /**
   * Does something as who is logged in; as whoever Spark runs tasks as, without a login.
   *
   * @param conf names principal and keytab
   * @param action what is done
   */
  public static <T> T as(Configuration conf, Action<T> action) throws IOException, InterruptedException {
    if (conf.get(PRINCIPAL) == null) {
      return action.run();
    }
    ensure(conf);
    return UserGroupInformation.getLoginUser().doAs((PrivilegedExceptionAction<T>) action::run);
  }
}
