package dev.featx.failure;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.delta.kernel.exceptions.TableNotFoundException;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.security.cert.CertificateException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.apache.hadoop.fs.ChecksumException;
import org.apache.hadoop.hbase.DoNotRetryIOException;
import org.apache.hadoop.hbase.client.RetriesExhaustedException;
import org.apache.hadoop.hbase.regionserver.NoSuchColumnFamilyException;
import org.apache.hadoop.hbase.snapshot.SnapshotDoesNotExistException;
import org.apache.hadoop.hdfs.BlockMissingException;
import org.apache.hadoop.hdfs.CannotObtainBlockLengthException;
import org.apache.hadoop.hdfs.protocol.QuotaExceededException;
import org.apache.hadoop.hdfs.server.namenode.SafeModeException;
import org.apache.hadoop.ipc.RemoteException;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.security.KerberosAuthException;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.exception.SdkClientException;

/**
 * The one place that classifies exceptions of libraries.
 *
 * <p>The Java class decides, anywhere in the chain of causes. A message is read only if a library provides nothing else; then
 * it is matched as a whole or from its start, and only for the exact class that produces it. Messages contain names that
 * users chose: a file may be called AccessDenied.jpg.
 */
public final class Failures {
  private static final Set<Integer> REFUSED = Set.of(401, 403);
  static final Set<String> REFUSALS = Set.of("ExpiredToken", "InvalidToken", "InvalidAccessKeyId");
  // The JDK's texts for ENOSPC and EDQUOT, for which it has no classes.
  private static final Set<String> FULL = Set.of("No space left on device", "Disk quota exceeded");
  // The classes that append these texts to the path of a local file, in parentheses.
  private static final Set<String> FILES = Set.of("java.io.FileOutputStream", "java.io.RandomAccessFile");
  // The NameNode has no class for this (BlockManager.chooseTarget4NewBlock).
  private static final Pattern NO_DATANODE =
      Pattern.compile("File .* could only be written to \\d+ of the \\d+ (minReplication nodes|required nodes)\\b.*", Pattern.DOTALL);
  private static final Pattern CODE = Pattern.compile("[A-Za-z0-9.]{1,64}");
  private static final String ARCHIVED = "InvalidObjectState"; // of storage classes such as Glacier
  private static final String OWN = "dev.featx.";
  private static final int LONGEST_CAUSE = 300;
  private static final int LONGEST_MESSAGE = 2000;

  /** Classifies exceptions. The first matching rule in the list wins, regardless of its match's position in the chain. */
  private record Rule(FailureClass failureClass, String message, Predicate<Throwable> matches) {}

  private static final List<Rule> RULES = List.of(
      new Rule(FailureClass.SOURCE_NOT_FOUND, "Delta table not found", TableNotFoundException.class::isInstance),
      new Rule(FailureClass.SOURCE_NOT_FOUND, "HBase table not found",
          org.apache.hadoop.hbase.TableNotFoundException.class::isInstance),
      new Rule(FailureClass.SOURCE_NOT_FOUND, "HBase snapshot not found", SnapshotDoesNotExistException.class::isInstance),
      new Rule(FailureClass.SOURCE_NOT_FOUND, "HBase column family not found", NoSuchColumnFamilyException.class::isInstance),
      new Rule(FailureClass.OUT_OF_MEMORY, "an executor ran out of memory; raise spec.execution.memory",
          OutOfMemoryError.class::isInstance),
      new Rule(FailureClass.ACCESS_DENIED, "the store denied access; check the permissions of the Secret's user",
          Failures::isRefusal),
      new Rule(FailureClass.BUCKET_NOT_FOUND, "the bucket does not exist",
          link -> link instanceof StoreResponse response && response.lacksBucket()),
      new Rule(FailureClass.ACCESS_DENIED, "HDFS denied access; check the files' owner and spec.execution.hadoopUser",
          AccessControlException.class::isInstance),
      new Rule(FailureClass.ACCESS_DENIED, "Kerberos login failed; check spec.execution.kerberos and its Secret",
          KerberosAuthException.class::isInstance),
      new Rule(FailureClass.UNTRUSTED_STORE, "the store's certificate is not trusted; add its CA as ca.crt to the store's Secret",
          Failures::isUntrusted),
      new Rule(FailureClass.OUTPUT_FULL, "the quota is used up", QuotaExceededException.class::isInstance),
      new Rule(FailureClass.OUTPUT_FULL, "no space left", Failures::isFull),
      new Rule(FailureClass.STORE_UNREACHABLE, "HDFS is in safe mode", SafeModeException.class::isInstance),
      new Rule(FailureClass.STORE_UNREACHABLE, "no HDFS DataNode accepts files", Failures::lacksDataNodes),
      new Rule(FailureClass.STORE_UNREACHABLE, "connection to HDFS was lost", Failures::isLostHdfs),
      new Rule(FailureClass.STORE_UNREACHABLE, "HBase did not respond", RetriesExhaustedException.class::isInstance),
      new Rule(FailureClass.STORE_UNREACHABLE, "HBase's ZooKeeper did not respond", Failures::isLostZooKeeper),
      new Rule(FailureClass.STORE_UNREACHABLE, "the store's host name cannot be resolved", UnknownHostException.class::isInstance),
      new Rule(FailureClass.STORE_UNREACHABLE, "the store did not respond in time", SocketTimeoutException.class::isInstance),
      new Rule(FailureClass.STORE_UNREACHABLE, "the store did not respond", Failures::isUnreachable),
      new Rule(FailureClass.STORE_ERROR, "the store refused the request",
          link -> link instanceof StoreResponse response && response.isRefusal()),
      new Rule(FailureClass.EXECUTOR_LOST, "executors failed repeatedly before Spark was up", Failures::isStoppedEarly));

  private Failures() {}

  /** Converts an exception to a problem; {@link FailureClass#INTERNAL} if no rule matches. */
  public static RunProblem of(Throwable thrown) {
    List<Throwable> chain = chain(thrown);
    for (Throwable link : chain) {
      if (link instanceof RunProblem problem) {
        return problem;
      }
    }
    for (Rule rule : RULES) {
      if (chain.stream().anyMatch(rule.matches())) {
        return new RunProblem(rule.failureClass(), outermost(chain, rule.failureClass()), thrown);
      }
    }
    return new RunProblem(FailureClass.INTERNAL, line(unforeseen(chain), LONGEST_CAUSE), withoutTexts(chain));
  }

  /**
   * Returns the classes of exceptions that nobody foresaw, and where the first was thrown.
   *
   * <p>Libraries quote in their texts what they read, such as a file's last bytes or a line of JSON. A status has more readers
   * than a run's files, so only texts written in Featx are shown.
   */
  private static String unforeseen(List<Throwable> chain) {
    List<String> links = new ArrayList<>();
    for (Throwable link : chain) {
      String place = place(link);
      boolean own = place.startsWith(OWN) && link.getMessage() != null && link.getCause() == null;
      links.add(link.getClass().getName() + (own ? ": " + link.getMessage() : place.isEmpty() ? "" : " in " + place));
    }
    return String.join(", caused by ", links) + "; see the driver's log";
  }

  /** Returns where exceptions were thrown, for logs: their classes and stack traces, but not their texts. */
  private static Throwable withoutTexts(List<Throwable> chain) {
    Throwable bare = null;
    for (int i = chain.size() - 1; i >= 0; i--) {
      bare = new Exception(chain.get(i).getClass().getName(), bare);
      bare.setStackTrace(chain.get(i).getStackTrace());
    }
    return bare;
  }

  private static String place(Throwable link) {
    StackTraceElement[] trace = link.getStackTrace();
    return trace.length == 0 ? "" : trace[0].getClassName() + "." + trace[0].getMethodName();
  }

  /** Returns the message of the outermost link with this class, which has the most context. */
  private static String outermost(List<Throwable> chain, FailureClass failureClass) {
    for (Throwable link : chain) {
      for (Rule rule : RULES) {
        if (rule.failureClass() == failureClass && rule.matches().test(link)) {
          return rule.message() + " (" + line(described(link), LONGEST_CAUSE) + ")";
        }
      }
    }
    throw new IllegalArgumentException("no exception in the chain is " + failureClass.label());
  }

  /** Returns an exception's text, unless it may quote what a server responded or a file holds. */
  private static String described(Throwable link) {
    if (link instanceof KerberosAuthException refused && refused.getPrincipal() != null) {
      return "principal " + refused.getPrincipal(); // the resource names it
    }
    for (Throwable cause : chain(link)) {
      if (cause instanceof StoreResponse response) {
        return response.getMessage();
      }
      if (cause instanceof AwsServiceException answer) {
        String code = answer.awsErrorDetails() == null ? null : answer.awsErrorDetails().errorCode();
        return "status " + answer.statusCode() + (code != null && CODE.matcher(code).matches() ? " " + code : "");
      }
      if (cause instanceof KerberosAuthException || cause instanceof SSLPeerUnverifiedException) {
        return cause.getClass().getName(); // Java quotes lines of krb5.conf, and the certificate's names
      }
    }
    return link.toString();
  }

  /** Returns an exception's failure class, or empty if no rule matches. */
  public static Optional<FailureClass> known(Throwable thrown) {
    FailureClass failureClass = of(thrown).failureClass();
    return failureClass == FailureClass.INTERNAL ? Optional.empty() : Optional.of(failureClass);
  }

  /** Describes an exception to the driver's Python, as JSON: {"class": a {@link FailureClass#label}, "message": one line}. */
  public static String describe(Throwable thrown) {
    RunProblem problem = of(thrown);
    return new ObjectMapper().createObjectNode().put("class", problem.failureClass().label())
        .put("message", line(problem.getMessage(), LONGEST_MESSAGE)).toString();
  }

  /** Returns an exception and its causes, with those of remote processes unwrapped. */
  private static List<Throwable> chain(Throwable thrown) {
    Set<Throwable> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    List<Throwable> chain = new ArrayList<>();
    for (Throwable link = thrown; link != null && seen.add(link); link = link.getCause()) {
      chain.add(link);
      if (link instanceof RemoteException remote) {
        chain.add(remote.unwrapRemoteException()); // of the class that the server names, if this JVM has it
      }
    }
    return chain;
  }

  /** Returns whether the store refused a request, which may be due to the object; retries do not change it. */
  public static boolean isRefusedObject(IOException thrown) {
    return chain(thrown).stream().anyMatch(Failures::refusesObject);
  }

  /** Returns whether the store failed on a request, which may be due to the object, and may pass. */
  public static boolean isFaultyObject(IOException thrown) {
    return chain(thrown).stream().anyMatch(Failures::failsOnObject);
  }

  /** Returns whether an object is refused because its storage class is an archive. */
  public static boolean isArchivedObject(IOException thrown) {
    return thrown instanceof StoreResponse response && response.code().equals(ARCHIVED);
  }

  /** Returns whether an object was replaced since a stream of it was opened. */
  public static boolean isReplacedObject(IOException thrown) {
    return chain(thrown).stream().anyMatch(link -> link instanceof StoreResponse response && response.isOfAnotherVersion());
  }

  /** Describes a refused or faulty object by the store's code or the operating system's message, without other texts. */
  public static String describeObject(IOException thrown) {
    return chain(thrown).stream().filter(link -> refusesObject(link) || failsOnObject(link)).findFirst()
        .map(Failures::withoutNames).orElse("");
  }

  private static String withoutNames(Throwable link) {
    if (link instanceof StoreResponse response) {
      return response.described();
    }
    if (link instanceof CutResponse) {
      return link.getMessage();
    }
    if (link instanceof FileSystemException failure && failure.getReason() != null) {
      return failure.getReason();
    }
    return link instanceof AccessDeniedException ? "Permission denied" : link.getClass().getSimpleName();
  }

  private static boolean refusesObject(Throwable link) {
    return link instanceof StoreResponse response && response.isRefusal() || link instanceof AccessDeniedException
        || link instanceof AccessControlException;
  }

  private static boolean failsOnObject(Throwable link) {
    return link instanceof StoreResponse response && response.isFault() || link instanceof CutResponse
        || link instanceof BlockMissingException
        || link instanceof CannotObtainBlockLengthException || link instanceof ChecksumException
        || link instanceof FileSystemException;
  }

  private static boolean isRefusal(Throwable link) {
    return link instanceof StoreResponse response && response.isDenial() || link instanceof AccessDeniedException
        || link instanceof org.apache.hadoop.hbase.security.AccessDeniedException
        || link instanceof AwsServiceException answer && (REFUSED.contains(answer.statusCode())
            || answer.awsErrorDetails() != null && REFUSALS.contains(answer.awsErrorDetails().errorCode()));
  }

  private static boolean isUntrusted(Throwable link) {
    return link instanceof SSLPeerUnverifiedException
        || link instanceof SSLHandshakeException && link.getCause() instanceof CertificateException;
  }

  private static boolean isFull(Throwable link) {
    if (link instanceof FileSystemException failure) {
      return failure.getReason() != null && FULL.contains(failure.getReason());
    }
    String message = link.getMessage();
    if (message == null) {
      return false;
    }
    if (link instanceof FileNotFoundException) {
      StackTraceElement[] trace = link.getStackTrace();
      boolean local = trace.length > 0 && FILES.contains(trace[0].getClassName());
      return local && FULL.stream().anyMatch(reason -> message.endsWith(" (" + reason + ")"));
    }
    return link.getClass() == IOException.class && FULL.contains(message);
  }

  private static boolean lacksDataNodes(Throwable link) {
    return link instanceof RemoteException remote && IOException.class.getName().equals(remote.getClassName())
        && remote.getMessage() != null && NO_DATANODE.matcher(remote.getMessage()).matches();
  }

  /** Hadoop has no class for a lost connection; the message has a fixed start (NetUtils.wrapException). */
  private static boolean isLostHdfs(Throwable link) {
    return link.getClass() == EOFException.class && link.getMessage() != null
        && link.getMessage().startsWith("End of File Exception between local host is: ");
  }

  /** Nor has HBase one for an unresponsive ZooKeeper (ReadOnlyZKClient). */
  private static boolean isLostZooKeeper(Throwable link) {
    return link.getClass() == DoNotRetryIOException.class && link.getMessage() != null
        && link.getMessage().startsWith("Zookeeper ");
  }

  private static boolean isUnreachable(Throwable link) {
    if (link instanceof StoreResponse response) {
      return !response.isRefusal();
    }
    if (link instanceof AwsServiceException answer) {
      return answer.statusCode() >= 500;
    }
    return link instanceof SocketException || link instanceof SSLException || link instanceof SdkClientException;
  }

  /** Spark gave up before its context could be queried; the throwing method identifies the failure, not its text. */
  private static boolean isStoppedEarly(Throwable link) {
    StackTraceElement[] trace = link.getStackTrace();
    return link instanceof IllegalStateException && trace.length > 0
        && trace[0].getClassName().equals("org.apache.spark.scheduler.TaskSchedulerImpl")
        && trace[0].getMethodName().equals("waitBackendReady");
  }

  private static String line(String text, int limit) {
    String line = String.valueOf(text).strip().replaceAll("\\s+", " ");
    return line.length() <= limit ? line : line.substring(0, limit);
  }
}
