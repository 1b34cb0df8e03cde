package dev.featx.security;

import java.io.IOException;
import java.security.PrivilegedExceptionAction;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.security.UserGroupInformation;

/**
 * This JVM's login to secured HDFS and HBase, with the keytab of a mounted Secret.
 *
 * <p>Driver and executors log in independently, and again when tickets expire (UserGroupInformation). A run may therefore
 * outlast any delegation token, and no token passes between pods.
 */
public final class KerberosLogin {
  /** Setting with the principal; without it there is no login. */
  static final String PRINCIPAL = "featx.kerberos.principal";

  /** Setting with the keytab's file. */
  static final String KEYTAB = "featx.kerberos.keytab";

  private static String loggedIn;

  private KerberosLogin() {}

  /** An action that runs as a user. */
  public interface Action<T> {
    T run() throws IOException, InterruptedException;
  }

  /** Logs in if a principal is set and not logged in yet. */
  public static synchronized void ensure(Configuration conf) throws IOException {
    String principal = conf.get(PRINCIPAL);
    if (principal != null && !principal.equals(loggedIn)) {
      UserGroupInformation.setConfiguration(conf);
      UserGroupInformation.loginUserFromKeytab(principal, conf.get(KEYTAB));
      loggedIn = principal;
    }
  }

  /**
   * Runs an action as the logged-in user, or without a login as the user that Spark runs tasks as.
   *
   * @param conf contains principal and keytab
   * @param action the action
   */
  public static <T> T as(Configuration conf, Action<T> action) throws IOException, InterruptedException {
    if (conf.get(PRINCIPAL) == null) {
      return action.run();
    }
    ensure(conf);
    return UserGroupInformation.getLoginUser().doAs((PrivilegedExceptionAction<T>) action::run);
  }
}
